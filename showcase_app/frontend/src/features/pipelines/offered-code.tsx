/** The code that steps of a definition may name on this server, module by module. */
import { Text, Title } from "@mantine/core";
import type { AllowedCodeOut, OfferedModuleOut } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";
import classes from "./pipelines.module.css";

type OfferedCodeProps = { code: AllowedCodeOut | undefined; error: Error | null };

export function OfferedCode({ code, error }: OfferedCodeProps) {
  if (code === undefined) {
    return error === null ? null : <QueryFailed what="The code that steps may name" error={error} />;
  }
  return (
    <section className={`panel ${classes.side}`} aria-labelledby="offered-code">
      <Title order={2} id="offered-code" size="sm" mb={4}>
        Code that steps may name here
      </Title>
      {code.modules.length === 0 ? (
        <Text size="sm" className="quiet">
          None was found.
        </Text>
      ) : (
        <ul className={classes.modules}>
          {code.modules.map((module) => (
            <li key={module.name}>
              <Module module={module} />
            </li>
          ))}
        </ul>
      )}
      <Text size="xs" className="quiet" mt={6}>
        Allowed by name: <span className="mono">{code.patterns.join(", ") || "none"}</span>, and what lies beside the
        pipeline’s file. Where the server is started, IA_MODULES_STEP_MODULES allows more.
      </Text>
    </section>
  );
}

function Module({ module }: { module: OfferedModuleOut }) {
  return (
    <details>
      <summary className="mono">
        {module.name}
        {module.is_beside ? <span className="quiet"> · beside the file</span> : null}
      </summary>
      <dl className={classes.names}>
        {module.names.map(({ name, description, fields }) => (
          <div key={name}>
            <dt className="mono">{name}</dt>
            <dd>
              {description ?? "It says nothing of itself."}
              {fields.length === 0 ? null : <span className="quiet"> Result: {fields.join(", ")}.</span>}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
