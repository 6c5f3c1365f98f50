// Reads a workbook with each library of JavaScript that is named; prints the title, address and value of each formula.
const { readFileSync } = require("fs");

const exceljs = async (path) => {
  const { Workbook } = require("exceljs");
  const book = new Workbook();
  await book.xlsx.readFile(path);
  const found = [];
  book.eachSheet((sheet) =>
    sheet.eachRow((row) => row.eachCell((cell) => cell.formula && found.push([sheet.name, cell.address, cell.result]))),
  );
  return found;
};

const xlsx = async (path) => {
  const { readFile } = require("xlsx");
  const { Sheets } = readFile(path);
  return Object.entries(Sheets).flatMap(([title, sheet]) =>
    Object.entries(sheet).filter(([, cell]) => cell.f).map(([address, cell]) => [title, address, cell.v]),
  );
};

const luckyexcel = async (path) => {
  const { transformExcelToLucky } = require("luckyexcel");
  const { encode_cell } = require("xlsx").utils;
  console.log = () => {};
  const { sheets } = await new Promise((done) => transformExcelToLucky(readFileSync(path), done));
  return sheets.flatMap(({ name, celldata }) =>
    celldata.filter(({ v }) => v && v.f).map(({ r, c, v }) => [name, encode_cell({ r, c }), v.v]),
  );
};

const [library, path] = process.argv.slice(2);
({ exceljs, xlsx, luckyexcel })[library](path).then((found) => process.stdout.write(JSON.stringify(found)));
