/** Who is looking at the pages, and what they may do. */
import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { whyReadOnly } from "@/domain/read-only";
import { useWhyAway } from "./away";
import { answered, api } from "./client";

export const sessionQuery = queryOptions({
  queryKey: ["session"] as const,
  queryFn: ({ signal }) => answered(api.GET("/api/session", { signal })),
  staleTime: 60_000,
});

/** Why the reader may not change anything now; null when they may. For the tooltip of a disabled action. */
export function useWhyReadOnly(): string | null {
  const away = useWhyAway();
  const { data } = useQuery(sessionQuery);
  return away ?? (data === undefined ? null : whyReadOnly(data));
}

/** Why the reader may never change anything here, whether the server is there or not; null: they may, undefined: that is
 * not known yet. For what is not even offered to somebody who only looks. */
export function useWhyOnlyLooking(): string | null | undefined {
  const { data } = useQuery(sessionQuery);
  return data === undefined ? undefined : whyReadOnly(data);
}

/** Whether the reader answers questions and sees nothing else; false as long as that is not known. */
export function useOnlyAnswers(): boolean {
  const { data } = useQuery(sessionQuery);
  return data?.role === "approver";
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (key: string) => answered(api.POST("/api/session", { body: { key } })),
    onSuccess: () => client.invalidateQueries(),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => answered(api.DELETE("/api/session")),
    onSuccess: async () => {
      await client.invalidateQueries(sessionQuery); // the pages go
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] });
    },
  });
}
