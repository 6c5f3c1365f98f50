// Calculates a workbook, given as JSON on standard input, with HyperFormula; prints what each formula comes to.
const { HyperFormula } = require("hyperformula");

const { sheets, names, without } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const engine = HyperFormula.buildFromSheets(
  sheets,
  { licenseKey: "gpl-v3", useArrayArithmetic: true, precisionRounding: 15, smartRounding: false },
  names,
);
const declined = new Set();
const decline = (address) => {
  const { sheet, row, col, start, end } = address;
  const key = JSON.stringify(start ? [start, end] : [sheet, row, col]);
  if (declined.has(key)) return;
  declined.add(key);
  engine.getCellDependents(address).forEach(decline);
};
const formulas = [];
for (const title of engine.getSheetNames()) {
  const sheet = engine.getSheetId(title);
  engine.getSheetFormulas(sheet).forEach((cells, row) =>
    cells.forEach((formula, col) => {
      if (formula === undefined) return;
      formulas.push([title, { sheet, row, col }]);
      if (without.some((name) => formula.includes(`${name}(`))) decline({ sheet, row, col });
    }),
  );
}
const values = [];
for (const [title, address] of formulas) {
  if (declined.has(JSON.stringify([address.sheet, address.row, address.col]))) continue;
  const value = engine.getCellValue(address);
  values.push([title, address.row, address.col, value !== null && value.value ? value.value : value]);
}
console.log(JSON.stringify(values));
