/**
 * Who goes next when all places are taken: the lane `first` before all others, which take turns; within a lane the first to come is the
 * first to go. So one caller that asks for much (served queries) cannot keep another waiting for more than one turn, and the user's own chat not at all.
 */
export class WaitingLine<T> {
  readonly #first: string
  readonly #lanes = new Map<string, T[]>()

  constructor(first: string) {
    this.#first = first
  }

  get size(): number {
    let size = 0
    for (const lane of this.#lanes.values()) size += lane.length
    return size
  }

  add(lane: string, item: T): void {
    const waiting = this.#lanes.get(lane)
    if (waiting === undefined) this.#lanes.set(lane, [item])
    else waiting.push(item)
  }

  /** Takes the next one out; its lane moves to the end of the round. `onlyFirst`: none but one of the first lane. */
  next(onlyFirst = false): T | undefined {
    const lane = this.#lanes.has(this.#first) ? this.#first : onlyFirst ? undefined : this.#lanes.keys().next().value
    const waiting = lane === undefined ? undefined : this.#lanes.get(lane)
    if (lane === undefined || waiting === undefined) return undefined
    const item = waiting.shift()
    this.#lanes.delete(lane)
    if (waiting.length > 0) this.#lanes.set(lane, waiting)
    return item
  }

  /** Takes one out that no longer wants to wait. */
  remove(item: T): boolean {
    for (const [lane, waiting] of this.#lanes) {
      const index = waiting.indexOf(item)
      if (index < 0) continue
      waiting.splice(index, 1)
      if (waiting.length === 0) this.#lanes.delete(lane)
      return true
    }
    return false
  }
}
