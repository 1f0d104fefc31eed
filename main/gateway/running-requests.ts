/** Requests under way by their keys, so that a revoked key ends its own. */
export class RunningRequests {
  readonly #byKey = new Map<string, Set<AbortController>>()
  readonly #waiting: Array<() => void> = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** @returns a signal that aborts when the request is to end, and what takes it from the list */
  begin(keyId: string): { readonly control: AbortController; readonly done: () => void } {
    const control = new AbortController()
    const all = this.#byKey.get(keyId) ?? new Set()
    this.#byKey.set(keyId, all.add(control))
    this.#size++
    return {
      control,
      done: () => {
        if (!all.delete(control)) return
        this.#size--
        if (this.#size === 0) for (const resolve of this.#waiting.splice(0)) resolve()
        if (all.size === 0 && this.#byKey.get(keyId) === all) this.#byKey.delete(keyId)
      },
    }
  }

  /** Resolves when none is under way any more. */
  async idle(): Promise<void> {
    if (this.#size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  end(keyId: string, reason: Error): void {
    for (const control of this.#byKey.get(keyId) ?? []) control.abort(reason)
  }

  endAll(reason: Error): void {
    for (const keyId of [...this.#byKey.keys()]) this.end(keyId, reason)
  }
}
