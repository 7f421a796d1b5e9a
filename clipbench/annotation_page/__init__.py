"""The annotation page: served on this machine, or written as one file. Knows HTTP and HTML; decides nothing."""
