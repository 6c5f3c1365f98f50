# Reads workbooks with openxlsx; prints the path, and the title, row, column and value of each formula, a line each.
suppressMessages(library(openxlsx))
for (path in commandArgs(TRUE)) {
  book <- loadWorkbook(path)
  for (index in seq_along(names(book))) {
    cells <- book$worksheets[[index]]$sheet_data
    has <- !is.na(cells$f)
    if (any(has)) writeLines(paste(path, names(book)[index], cells$rows[has], cells$cols[has], cells$v[has], sep = "\t"))
  }
}
