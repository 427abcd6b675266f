"""HTTP's parts, read and written: heads, fields, chunks, pages. Pure."""
