import { cleanup, fireEvent, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, expect, it } from "vitest";
import { renderAt } from "@/mocks/render-at";
import { Announced } from "./announced";

afterEach(cleanup);

function Page() {
  const [status, setStatus] = useState("Running");
  return (
    <div data-testid="page">
      <Announced text={status} />
      <button type="button" onClick={() => setStatus("Completed")}>
        End
      </button>
    </div>
  );
}

it("says what something has become, politely, and not what it was at first", () => {
  renderAt("/", [{ path: "/", element: <Page /> }]);
  const region = screen.getByTestId("page").firstElementChild;
  expect([region?.getAttribute("aria-live"), region?.textContent]).toEqual(["polite", ""]);
  fireEvent.click(screen.getByRole("button"));
  expect(region?.textContent).toBe("Completed");
});
