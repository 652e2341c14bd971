"""What must never leave a reader, in every field of a format that can hold it."""

PLANTED = "Zyx^Quorn"
