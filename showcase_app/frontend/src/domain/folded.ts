/** What a search compares, as the server does: no difference of upper and lower case, in every script. */
export function folded(text: string): string {
  return text.toLowerCase().replaceAll("i\u0307", "i").toUpperCase(); // the dot that İ leaves
}
