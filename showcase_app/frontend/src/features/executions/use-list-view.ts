/** The look of the list and the saved views, as this browser keeps them; other tabs see a change at once. */
import { useLocalStorage } from "@mantine/hooks";
import { type ListLook, readLook, readViews, type SavedView } from "@/domain/list-view";

const OPTIONS = { serialize: (value: unknown) => JSON.stringify(value), getInitialValueInEffect: false };

export function useListLook() {
  return useLocalStorage<ListLook>({
    ...OPTIONS,
    key: "ia-executions-look",
    defaultValue: readLook(undefined),
    deserialize: readLook,
  });
}

export function useSavedViews() {
  return useLocalStorage<SavedView[]>({
    ...OPTIONS,
    key: "ia-executions-views",
    defaultValue: readViews(undefined),
    deserialize: readViews,
  });
}
