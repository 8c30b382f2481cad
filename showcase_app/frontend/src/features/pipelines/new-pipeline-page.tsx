/** A new pipeline, for who may store one. */
import { Skeleton } from "@mantine/core";
import { Suspense } from "react";
import { useWhyOnlyLooking } from "@/api/session";
import { lazyPart } from "@/components/ui/lazy-part";
import { NotThere } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";

const NewPipeline = lazyPart(async () => (await import("./new-pipeline")).NewPipeline);

function Waiting() {
  return (
    <>
      <PageHead title="New pipeline" />
      <Skeleton height={460} radius="md" />
    </>
  );
}

export function Component() {
  const onlyLooking = useWhyOnlyLooking() ?? null;
  if (onlyLooking === null) {
    return (
      <Suspense fallback={<Waiting />}>
        <NewPipeline />
      </Suspense>
    );
  }
  return (
    <>
      <PageHead title="New pipeline" />
      <NotThere title="You cannot store a pipeline here" why={onlyLooking} to="/pipelines" others="All pipelines" />
    </>
  );
}
