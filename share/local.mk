# what is installed below $(pkgdatadir)
