/** What each model used, the dearest first. */
import { Table } from "@mantine/core";
import type { UsageOfModelOut } from "@/api/schema.gen";
import { costText, unpricedText } from "@/domain/usage";

type Props = { models: readonly UsageOfModelOut[]; currency: string };

export function ModelTable({ models, currency }: Props) {
  return (
    <Table verticalSpacing={4} horizontalSpacing="sm" className="numbers" aria-label="By model">
      <Table.Thead>
        <Table.Tr>
          {["Model", "Calls", "Tokens in", "Tokens out", `Cost${currency === "" ? "" : ` (${currency})`}`].map(
            (name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ),
          )}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {models.map((each) => (
          <Table.Tr key={`${each.provider ?? ""}/${each.model}`}>
            <Table.Td>
              {each.model} {each.provider === null ? null : <span className="quiet">{each.provider}</span>}
            </Table.Td>
            <Table.Td>{each.calls.toLocaleString("en")}</Table.Td>
            <Table.Td>{each.input_tokens.toLocaleString("en")}</Table.Td>
            <Table.Td>{each.output_tokens.toLocaleString("en")}</Table.Td>
            <Table.Td>
              {costText(each.cost_micros)}
              {each.cost_micros === null || each.unpriced_calls === 0 ? null : (
                <span className="quiet"> + {unpricedText(each.unpriced_calls)}</span>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
