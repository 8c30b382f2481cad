/** What led to a question: what the step gave beside it, else what its execution began with. */
import { Text } from "@mantine/core";
import type { InteractionDetail } from "@/api/schema.gen";
import { JsonView } from "@/components/ui/json-view";
import { isObject } from "@/domain/json";

type LedToProps = { question: InteractionDetail; label: string; maxHeight: number | string };

export function LedTo({ question: { data, input_data }, label, maxHeight }: LedToProps) {
  if (!isEmpty(data)) return <JsonView value={data} label={label} maxHeight={maxHeight} />;
  const isNothing = isEmpty(input_data);
  return (
    <>
      <Text size="sm" className="quiet" mb={isNothing ? 0 : "xs"}>
        The step gave nothing beside the question{isNothing ? "." : "; its execution began with:"}
      </Text>
      {isNothing ? null : <JsonView value={input_data} label="Input of the execution" maxHeight={maxHeight} />}
    </>
  );
}

function isEmpty(data: unknown): boolean {
  return data === null || data === undefined || (isObject(data) && Object.keys(data).length === 0);
}
