/** Shows something else in the place of what could not be drawn or fetched. */
import { Component, type ReactNode } from "react";

type FallibleProps = { instead: ReactNode; children: ReactNode };

export class Fallible extends Component<FallibleProps, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    return this.state.failed ? this.props.instead : this.props.children;
  }
}
