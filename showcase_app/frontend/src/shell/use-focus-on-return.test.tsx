import { act, cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { useEffect, useState } from "react";
import { Link, Outlet } from "react-router";
import { afterEach, expect, it } from "vitest";
import { renderAt } from "@/mocks/render-at";
import { useFocusOnReturn } from "./use-focus-on-return";

afterEach(cleanup);

function Frame() {
  useFocusOnReturn();
  return (
    <main>
      <Outlet />
    </main>
  );
}

/** Its links come later, as those of a page do that reads something first. */
function List() {
  const [isRead, setRead] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setRead(true), 20);
    return () => clearTimeout(timer);
  }, []);
  return isRead ? ["one", "two"].map((name) => <Link key={name} to={`/${name}`}>{`to ${name}`}</Link>) : <p>reading</p>;
}

it("back puts the focus on the link by which one left, and nowhere where the reader is elsewhere", async () => {
  const one = (
    <button type="button" id="own">
      its own
    </button>
  );
  const { router } = renderAt("/", [
    {
      element: <Frame />,
      children: [
        { path: "/", element: <List /> },
        { path: "/:name", element: one },
      ],
    },
  ]);
  fireEvent.click(await screen.findByText("to two"));
  await screen.findByText("its own");
  await act(() => router.navigate(-1));
  const link = await screen.findByText("to two");
  await waitFor(() => expect(document.activeElement).toBe(link));

  await act(() => router.navigate("/one"));
  await act(() => router.navigate("/"));
  await screen.findByText("to one");
  expect(document.activeElement).toBe(document.body); // it is no way back
});
