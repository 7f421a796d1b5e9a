"""Files on disk to Dataset records: one module per format."""

if __name__ == "datasets":
    raise ImportError(
        "this folder installs as clipbench.datasets; imported as 'datasets' it would hide the "
        "Hugging Face package of that name. Write: import clipbench.datasets"
    )
