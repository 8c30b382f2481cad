/** What led to a question: what the step gave beside it, else what its execution began with. */
import { Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { payloadsQuery } from "@/api/executions";
import type { InteractionDetail } from "@/api/schema.gen";
import { JsonView } from "@/components/ui/json-view";
import { QueryFailed } from "@/components/ui/notices";
import { isObject } from "@/domain/json";

type LedToProps = { question: InteractionDetail; label: string; maxHeight: number | string };

export function LedTo({ question: { data, execution_id }, label, maxHeight }: LedToProps) {
  if (isEmpty(data)) return <InputOfExecution executionId={execution_id} maxHeight={maxHeight} />;
  return <JsonView value={data} label={label} maxHeight={maxHeight} />;
}

type InputOfExecutionProps = { executionId: string; maxHeight: number | string };

function InputOfExecution({ executionId, maxHeight }: InputOfExecutionProps) {
  const { data, error, refetch } = useQuery(payloadsQuery(executionId, "waiting_for_human"));
  if (data === undefined) {
    if (error === null) return <Skeleton height={120} role="status" aria-label="The input is being read" />;
    return <QueryFailed what="The input of the execution" error={error} retry={() => void refetch()} />;
  }
  const isNothing = isEmpty(data.input_data);
  return (
    <>
      <Text size="sm" className="quiet" mb={isNothing ? 0 : "xs"}>
        The step gave nothing beside the question{isNothing ? "." : "; its execution began with:"}
      </Text>
      {isNothing ? null : <JsonView value={data.input_data} label="Input of the execution" maxHeight={maxHeight} />}
    </>
  );
}

function isEmpty(data: unknown): boolean {
  return data === null || data === undefined || (isObject(data) && Object.keys(data).length === 0);
}
