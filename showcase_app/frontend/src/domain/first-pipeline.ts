/** The definition that a new pipeline begins with: small, whole, and at work on every server. Pure. */

const SALES = [
  "region,product,amount",
  "North,Tea,120",
  "North,Coffee,310",
  "South,Tea,95",
  "South,Coffee,65",
  "West,Tea,210",
];

/** A table is read and added up in two ways at once; where the total is too low, a person is asked. */
export const FIRST_PIPELINE = {
  name: "My first pipeline",
  slug: "my-first-pipeline",
  description: "Adds up sales by region and by product, writes a report, and asks a person where the total is too low.",
  parameters: [
    {
      name: "sales",
      description: "A table as text: the first line names the columns.",
      schema: { type: "string", title: "Sales", "x-widget": "textarea" },
      default: SALES.join("\n"),
    },
    {
      name: "target",
      description: "Below this total a person is asked.",
      schema: { type: "number", title: "Target", minimum: 0 },
      default: 500,
    },
  ],
  steps: [
    {
      id: "read",
      name: "Read the table",
      module: "ia_modules.steps",
      step_class: "read_table",
      inputs: { text: "{parameters.sales}" },
      effect: "pure",
    },
    {
      id: "by_region",
      name: "By region",
      module: "ia_modules.steps",
      step_class: "sum_up",
      inputs: { rows: "{steps.read.output.rows}", by: "region", of: "amount" },
      effect: "pure",
    },
    {
      id: "by_product",
      name: "By product",
      module: "ia_modules.steps",
      step_class: "sum_up",
      inputs: { rows: "{steps.read.output.rows}", by: "product", of: "amount" },
      effect: "pure",
    },
    {
      id: "report",
      name: "Write the report",
      module: "ia_modules.steps",
      step_class: "write_table",
      inputs: { title: "Sales by region", rows: "{steps.by_region.output.groups}" },
      effect: "pure",
    },
    {
      id: "ask",
      name: "Is that all?",
      type: "human_input",
      config: {
        prompt: "The total is below {{ parameters.target }}. Is the table complete?",
        ui_schema: {
          type: "object",
          properties: {
            complete: { type: "boolean", title: "It is complete" },
            note: { type: "string", title: "Note" },
          },
          required: ["complete"],
        },
      },
    },
  ],
  flow: {
    start_at: "read",
    paths: [
      { from: "read", to: "by_region" },
      { from: "read", to: "by_product" },
      { from: "by_region", to: "report" },
      { from: "by_product", to: "report" },
      {
        from: "report",
        to: "ask",
        condition: {
          type: "expression",
          source: "by_region.total",
          operator: "less_than",
          value: "{parameters.target}",
        },
      },
      { from: "report", to: "end", condition: "else" },
      { from: "ask", to: "end" },
    ],
  },
  outputs: {
    total: "{steps.by_region.output.total}",
    best_product: "{steps.by_product.output.groups.0.value}",
    report: "{steps.report.output.markdown}",
  },
};
