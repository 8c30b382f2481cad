/** What makes the built pages light to fetch: each file compressed beside itself, a list of all for when there is time, and
 * no styles of what is not there. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const LEAST_BYTES = 1024;
const CODE = /^assets\/.*\.(?:js|css)$/;

/** `NAME.br` and `NAME.gz` beside each file of code: the server sends what a browser takes. */
export function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    async writeBundle({ dir }, bundle) {
      const files = Object.keys(bundle).filter((name) => CODE.test(name));
      await Promise.all(files.map((name) => compress(join(dir ?? "dist", name))));
    },
  };
}

async function compress(file: string): Promise<void> {
  const bytes = await readFile(file);
  if (bytes.length < LEAST_BYTES) return;
  const brotli = { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }; // of the best quality by itself
  await Promise.all([
    promisify(brotliCompress)(bytes, brotli).then((small) => writeFile(`${file}.br`, small)),
    promisify(gzip)(bytes, { level: 9 }).then((small) => writeFile(`${file}.gz`, small)),
  ]);
}

/** `code.json`: the names of all files of code, the small ones first. The pages fetch them when they have nothing to do. */
export function listed(): Plugin {
  return {
    name: "listed",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const sizeOf = (name: string) => {
          const file = bundle[name];
          return file?.type === "chunk" ? file.code.length : (file?.source.length ?? 0);
        };
        const names = Object.keys(bundle).filter((name) => CODE.test(name));
        names.sort((a, b) => sizeOf(a) - sizeOf(b));
        this.emitFile({ type: "asset", fileName: "code.json", source: JSON.stringify(names) });
      },
    },
  };
}

const STYLES = "node_modules/@mantine/core/styles";

/** Mantine's styles without those of components that the pages do not have. Raises Error where they have one of them. */
export function withoutStylesOf(components: readonly string[]): Plugin {
  const classes = new Map<string, string>();
  return {
    name: "without-styles",
    apply: "build",
    async transform(code, id) {
      if (!id.endsWith(`${STYLES}.css`)) return undefined;
      let rest = code;
      for (const component of components) {
        const styles = (await readFile(join(STYLES, `${component}.css`), "utf-8")).trim();
        if (!rest.includes(styles)) this.error(`styles.css does not have those of ${component} as they are in a file`);
        rest = rest.replace(styles, "");
        for (const [name] of styles.matchAll(/\bm_[0-9a-f]+/g)) classes.set(name, component);
      }
      return { code: rest, map: null };
    },
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        for (const [name] of file.code.matchAll(/\bm_[0-9a-f]+/g)) {
          const component = classes.get(name);
          if (component !== undefined) this.error(`${component} is used now: take it out of UNUSED in vite.config.ts`);
        }
      }
    },
  };
}
