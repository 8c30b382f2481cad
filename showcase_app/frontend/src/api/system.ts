/** The machine room, read anew every five seconds while somebody looks. */
import { queryOptions } from "@tanstack/react-query";
import { answered, api } from "./client";

export const systemQuery = queryOptions({
  queryKey: ["system"] as const,
  queryFn: ({ signal }) => answered(api.GET("/api/system", { signal })),
  refetchInterval: 5000,
});
