/** The server behind the one client, in a test: addresses with their answers, and every request that came. */
import { api, withQuotedRefusal } from "@/api/client";
import type { ProblemDetails, SessionOut } from "@/api/schema.gen";
import { parseJson, stringifyJson } from "@/domain/json";

type Answer = (request: Request) => Response | Promise<Response>;

export class FakeServer {
  readonly requests: Request[] = [];
  private readonly answers = new Map<string, Answer>();
  private readonly middleware = {
    onRequest: async ({ request }: { request: Request }) => {
      this.requests.push(request.clone());
      const place = `${request.method} ${new URL(request.url).pathname}`;
      const answer = this.answers.get(place);
      return withQuotedRefusal(
        answer === undefined ? refusal(404, `The test has no answer to ${place}.`) : await answer(request),
      );
    },
  };

  /** In the place of the network, until `remove`. Whoever looks is an operator, where the test sets nothing else. */
  install(): void {
    this.requests.length = 0;
    this.answers.clear();
    this.signIn("operator");
    api.use(this.middleware);
  }

  remove(): void {
    api.eject(this.middleware);
  }

  /** `place` as in "GET /api/executions"; the newest answer to it holds. */
  on(place: string, answer: Answer): void {
    this.answers.set(place, answer);
  }

  /** `other`: with keys, by another name, or with a run file for all that there is. */
  signIn(role: SessionOut["role"], other: Partial<SessionOut> = {}): void {
    const session: SessionOut = { actor: "local", role, keys_required: false, signed_in: true, run_file: false };
    this.on("GET /api/session", () => json(200, { ...session, ...other }));
  }

  /** The requests to a place, oldest first. */
  to(place: string): Request[] {
    return this.requests.filter((request) => `${request.method} ${new URL(request.url).pathname}` === place);
  }

  /** What was sent to a place, oldest first. */
  bodies(place: string): Promise<unknown[]> {
    return Promise.all(this.to(place).map(async (request) => parseJson(await request.clone().text())));
  }
}

export function json(status: number, body: unknown): Response {
  return new Response(stringifyJson(body), { status, headers: { "content-type": "application/json" } });
}

/** `errors`: the refused fields with the reason for each. */
export function refusal(status: number, detail: string, errors: Record<string, string> = {}): Response {
  const problem: ProblemDetails = { type: "about:blank", title: "Refused", status, detail, instance: "/" };
  problem.errors = Object.entries(errors).map(([field, reason]) => ({ location: "body", field, detail: reason }));
  return json(status, problem);
}
