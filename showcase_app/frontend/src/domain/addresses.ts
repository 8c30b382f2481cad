/** Addresses of pages that are made of names which programs may choose as they like: slugs, ids of callers. Pure. */
import type { PipelineOut } from "@/api/schema.gen";

/** Slugs that an address cannot have: folders, however they are written, and the page where pipelines are made. */
const TAKEN = /^(\.+|new)$/;

/** Of a pipeline, by its slug where an address can have that. */
export function pipelineAddress({ id, slug }: Pick<PipelineOut, "id" | "slug">): string {
  return `/pipelines/${encodeURIComponent(TAKEN.test(slug) ? id : slug)}`;
}

/** The name in the path of a page, as in `/pipelines/NAME`, whatever it has in it; the router takes `%2F` for a slash. */
export function nameIn(pathname: string): string {
  const sent = pathname.split("/")[2] ?? "";
  try {
    return decodeURIComponent(sent);
  } catch {
    return sent; // typed by hand, with a percent sign that encodes nothing
  }
}
