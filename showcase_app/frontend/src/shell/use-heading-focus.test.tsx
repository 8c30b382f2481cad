import { act, cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { Outlet } from "react-router";
import { afterEach, expect, it } from "vitest";
import { renderAt } from "@/mocks/render-at";
import { useHeadingFocus } from "./use-heading-focus";

afterEach(cleanup);

function Around() {
  useHeadingFocus();
  return (
    <main id="content">
      <Outlet />
    </main>
  );
}

/** A page whose heading comes when what it shows has been read. */
function Late() {
  const [isRead, setRead] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setRead(true)}>
        Read
      </button>
      {isRead ? <h1>Late</h1> : null}
    </>
  );
}

function show(address: string) {
  const children = [
    { index: true, element: <h1>Home</h1> },
    { path: "one", element: <h1>One</h1> },
    { path: "late", element: <Late /> },
  ];
  return renderAt(address, [{ path: "/", element: <Around />, children }]).router;
}

const heading = (name: string) => screen.getByRole("heading", { name });

it("the heading of another page has the focus, that of the first one has not", async () => {
  const router = show("/one");
  expect(document.activeElement).toBe(document.body);
  await act(() => router.navigate("/one?q=1"));
  expect(document.activeElement).toBe(document.body);
  await act(() => router.navigate("/late"));
  await act(() => router.navigate("/one"));
  expect(document.activeElement).toBe(heading("One"));
});

it("a heading that comes late gets it too, unless somebody has gone elsewhere meanwhile", async () => {
  const router = show("/one");
  await act(() => router.navigate("/late"));
  fireEvent.click(screen.getByRole("button"));
  await waitFor(() => expect(document.activeElement).toBe(heading("Late")));
  await act(() => router.navigate("/one"));
  await act(() => router.navigate("/late"));
  const button = screen.getByRole("button");
  act(() => button.focus());
  fireEvent.click(button);
  expect(heading("Late")).toBeTruthy();
  expect(document.activeElement).toBe(button);
});
