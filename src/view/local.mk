# one view a file
