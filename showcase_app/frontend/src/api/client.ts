/** The one place that speaks HTTP. Types come from the server's OpenAPI document; every failure is an ApiError. */
import createClient from "openapi-fetch";
import { stringifyJson } from "@/domain/json";
import { heard, suspected } from "./away";
import { ROOT } from "./root";
import { readRows } from "./rows";
import type { FirstAnswer, Misfit, ProblemDetails, paths } from "./schema.gen";

const client = createClient<paths>({
  baseUrl: `${window.location.origin}${ROOT}`,
  bodySerializer: (body) => stringifyJson(body),
  fetch: async (request) => withQuotedRefusal(await send(request)),
});

/** The library's client, but that no number loses its text on the way: see rows.ts. */
export const api = {
  GET: withRows(client.GET),
  POST: withRows(client.POST),
  PUT: withRows(client.PUT),
  DELETE: withRows(client.DELETE),
  use: client.use,
  eject: client.eject,
};

/** Reports whether the server answered. */
async function send(request: Request): Promise<Response> {
  try {
    const response = await window.fetch(request);
    if (isOfGateway(response)) suspected();
    else heard();
    return response;
  } catch (error) {
    if (!isAbort(error)) suspected();
    throw error;
  }
}

const GATEWAY_STATUSES: readonly number[] = [502, 503, 504];

/** Whether it is the answer of a proxy whose server is gone; the server's own are problems. */
function isOfGateway({ status, headers }: Response): boolean {
  return GATEWAY_STATUSES.includes(status) && headers.get("Content-Type") !== "application/problem+json";
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

type Call = (path: string, options?: object) => Promise<Answer<unknown>>;

/** The same method: its answers, refusals too, are taken as text and read here. */
function withRows<Method>(method: Method): Method {
  const call = method as Call;
  const withText: Call = async (path, options) => {
    const { data, error, response } = await call(path, { ...options, parseAs: "text" });
    if (typeof data === "string" && data !== "") return { data: readRows(data), response };
    return typeof error === "string" ? { error: refusalIn(error), response } : { data, error, response };
  };
  return withText as Method;
}

/** A refusal as a text in quotes. The library reads it with JSON.parse, which leaves that text as it was sent. */
export async function withQuotedRefusal(response: Response): Promise<Response> {
  if (response.status < 400) return response;
  const { status, headers } = response;
  return new Response(JSON.stringify(await response.text()), { status, headers });
}

function refusalIn(text: string): unknown {
  try {
    return readRows(text);
  } catch {
    return text; // of something in front of the server
  }
}

/** The server refused a request, or could not be reached (`status` 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Which parts of the request were refused, by their path, such as `input_data.sku`. */
    readonly fields: Readonly<Record<string, string>> = {},
    /** What a re-run would copy and cannot. */
    readonly misfit: Misfit | null = null,
    /** Of an answer that came too late: who was first, and when. */
    readonly first: FirstAnswer | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether what was to be done may have been done all the same. */
  get isUnanswered(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** What a failed action is called: where no answer came, nobody knows whether it was done. */
export function failedTitle(error: Error, refused: string): string {
  return error instanceof ApiError && error.isUnanswered ? "No answer came: whether it was done is not known" : refused;
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The data of an answer; throws ApiError when it is a refusal or there is none. */
export async function answered<T>(request: Promise<Answer<T>>): Promise<T> {
  return (await accepted(request)).data as T;
}

/** The library's own method, for answers that are files: ask with `parseAs: "blob"`, and hand it to `answeredFile`. */
export const files = { GET: client.GET };

/** A file under the name that the server gives it; throws ApiError as `answered` does. */
export async function answeredFile(request: Promise<Answer<Blob>>): Promise<{ file: File; headers: Headers }> {
  const { data, response } = await accepted(
    request.then((answer) =>
      typeof answer.error === "string" ? { ...answer, error: refusalIn(answer.error) } : answer,
    ),
  );
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  return { file: new File(data === undefined ? [] : [data], name ?? "file"), headers: response.headers };
}

async function accepted<T>(request: Promise<Answer<T>>): Promise<Answer<T>> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError(0, "The server cannot be reached. Is it running?");
  }
  if (answer.response.ok) return answer;
  throw refusal(answer.response, answer.error);
}

function refusal({ status }: Response, body: unknown): ApiError {
  if (!isProblem(body) && GATEWAY_STATUSES.includes(status)) {
    return new ApiError(status, `The server cannot be reached: what stands in front of it answered ${status}.`);
  }
  if (!isProblem(body)) return new ApiError(status, `The server answered ${status}.`);
  const fields = Object.fromEntries((body.errors ?? []).map((error) => [error.field, error.detail]));
  const message = body.detail ?? body.title ?? `The server answered ${status}.`;
  return new ApiError(status, message, fields, body.misfit ?? null, body.answered ?? null);
}

function isProblem(body: unknown): body is ProblemDetails {
  return typeof body === "object" && body !== null && "status" in body;
}
