/** The path below which the pages and the API are, as the server writes it into the page: empty, or such as `/flows`. */
const written = document.querySelector<HTMLMetaElement>("meta[name=root]")?.content ?? "/";

export const ROOT = new URL(written, `${window.location.origin}/`).pathname.replace(/\/$/, "");
