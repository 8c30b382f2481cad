/** Leads to the question before an execution is cancelled, or gives the reason why it cannot be. */
import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlayerStop } from "@tabler/icons-react";
import { Suspense } from "react";
import type { ExecutionDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { lazyPart } from "@/components/ui/lazy-part";
import { whyNotCancelled } from "@/domain/cancelling";
import { hasEnded } from "@/domain/status";
import { Explained } from "./explained";

const CancelModal = lazyPart(async () => (await import("./cancel-modal")).CancelModal);

export function CancelButton({ execution }: { execution: ExecutionDetail }) {
  const readOnly = useWhyReadOnly();
  const [asking, { open, close }] = useDisclosure(false);
  const why = readOnly ?? whyNotCancelled(execution);
  return (
    <>
      <Explained why={why}>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlayerStop size={15} aria-hidden />}
          disabled={why !== null}
          onClick={open}
        >
          {execution.cancel_requested && !hasEnded(execution.status) ? "Cancelling…" : "Cancel"}
        </Button>
      </Explained>
      <Suspense>{asking ? <CancelModal execution={execution} onClose={close} /> : null}</Suspense>
    </>
  );
}
