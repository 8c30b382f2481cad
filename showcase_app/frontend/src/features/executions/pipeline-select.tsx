/** Chooses one pipeline, or all; the server searches, so any number of pipelines will do. */
import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { pipelineNameQuery, pipelineNamesQuery } from "@/api/pipeline-names";

export function PipelineSelect({
  value,
  onChange,
  className,
}: {
  value: string | undefined;
  onChange: (id: string | undefined) => void;
  className?: string;
}) {
  const [search, setSearch] = useState("");
  const [opened, setOpened] = useState(false);
  const [q] = useDebouncedValue(opened ? search : "", 200);
  const { data: found = [], error } = useQuery(pipelineNamesQuery(q));
  const isListed = value === undefined || found.some(({ id }) => id === value);
  const { data: chosen } = useQuery({ ...pipelineNameQuery(value ?? ""), enabled: value !== undefined && !isListed });
  const listed = isListed ? found : [chosen ?? { id: value, name: value, archived: false }, ...found];
  return (
    <Select
      className={className}
      aria-label="Pipeline"
      placeholder="All pipelines"
      data={listed.map(({ id, name, archived }) => ({ value: id, label: archived ? `${name} (archived)` : name }))}
      value={value ?? null}
      onChange={(id) => onChange(id ?? undefined)}
      searchable
      clearable
      clearButtonProps={{ "aria-label": "All pipelines" }}
      filter={({ options }) => options} // the server has searched
      onSearchChange={setSearch}
      onDropdownOpen={() => {
        setSearch("");
        setOpened(true);
      }}
      onDropdownClose={() => setOpened(false)}
      nothingFoundMessage={error === null ? "No pipeline has this in its name" : "Pipelines could not be read"}
      maxDropdownHeight={320}
    />
  );
}
