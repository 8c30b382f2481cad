/** A part of a page whose code comes when it is shown. Where it cannot be fetched, that is said in its place. */
import { Alert, Button, Group, Text } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { Component, type ComponentType, lazy, type ReactNode, useEffect, useState } from "react";
import { useAwayAsOf } from "@/api/away";
import { CodeNotFetched, fetchCode } from "@/api/code";

/** The component, to be shown within a Suspense; it is fetched again by itself when the server is back, where a browser does
 * not remember that it could not be fetched. The page is not loaded again for it unasked: something may be filled in.
 * `Instead` is shown where it cannot be fetched and there is no room to say so. */
export function lazyPart<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  Instead?: ComponentType<Props>,
): ComponentType<Props> {
  const fetched = () => lazy(async () => ({ default: await fetchCode(load) })) as ComponentType<Props>;
  const code: Code<Props> = { shown: fetched(), fetched };
  return (props) => <Part code={code} shown={props} instead={Instead && <Instead {...props} />} />;
}

/** `shown` remembers for good that it could not be fetched; `fetched` makes another one. */
type Code<Props> = { shown: ComponentType<Props>; fetched: () => ComponentType<Props> };

type PartProps<Props> = { code: Code<Props>; shown: Props; instead: ReactNode };

function Part<Props extends object>({ code, shown, instead }: PartProps<Props>) {
  const [tries, setTries] = useState(1);
  const Shown = code.shown;
  const again = () => {
    if (code.shown === Shown) code.shown = code.fetched();
    setTries(tries + 1);
  };
  return (
    <WhereFetched key={tries} instead={instead ?? <CodeMissing again={again} />}>
      <Shown {...shown} />
    </WhereFetched>
  );
}

type WhereFetchedProps = { instead: ReactNode; children: ReactNode };

class WhereFetched extends Component<WhereFetchedProps, { error: unknown }> {
  override state = { error: null };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    const error: unknown = this.state.error;
    if (error === null) return this.props.children;
    if (error instanceof CodeNotFetched) return this.props.instead;
    throw error;
  }
}

/** Says that code is missing, tries again when the server is back, and lets the reader do it. */
export function CodeMissing({ again }: { again: () => void }) {
  const isAway = useAwayAsOf() !== null;
  const [wasAway, setWasAway] = useState(isAway);
  if (isAway && !wasAway) setWasAway(true);
  const isBack = wasAway && !isAway;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it comes back
  useEffect(() => {
    if (isBack) again();
  }, [isBack]);
  return (
    <Alert
      color="gray"
      icon={<IconPlugConnectedX aria-hidden />}
      title="The code for this could not be fetched"
      role="status"
    >
      <Group justify="space-between" gap="sm">
        <Text size="sm">
          {isAway
            ? "The server cannot be reached. As soon as it is back, this is fetched."
            : "Loading the page again fetches it: the server may have newer pages by now."}
        </Text>
        {isAway ? null : (
          <Group gap="xs">
            <Button size="compact-sm" variant="default" onClick={again}>
              Try again
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => window.location.reload()}>
              Load the page again
            </Button>
          </Group>
        )}
      </Group>
    </Alert>
  );
}
