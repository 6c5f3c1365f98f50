# Reads a workbook with openxlsx; prints the title, row, column and value of each formula, a line each.
suppressMessages(library(openxlsx))
book <- loadWorkbook(commandArgs(TRUE)[1])
for (index in seq_along(names(book))) {
  cells <- book$worksheets[[index]]$sheet_data
  has <- !is.na(cells$f)
  if (any(has)) writeLines(paste(names(book)[index], cells$rows[has], cells$cols[has], cells$v[has], sep = "\t"))
}
