"""The failure loop: sample, assign, label, import, agree, decide, summarise."""
