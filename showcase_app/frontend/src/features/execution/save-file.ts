/** Hands a file to the browser, to be saved where its owner saves files. */
export function saveFile(file: File): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = file.name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(address)); // the browser has begun to read it by then
}
