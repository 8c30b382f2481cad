/** Where one begins: with what one may do. */
import { useQuery } from "@tanstack/react-query";
import { Navigate } from "react-router";
import { sessionQuery } from "@/api/session";

export function Home() {
  const { data: session, isError } = useQuery(sessionQuery);
  if (session === undefined && !isError) return null;
  return <Navigate to={session?.role === "approver" ? "/inbox" : "/pipelines"} replace />;
}
