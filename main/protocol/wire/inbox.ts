export interface InboxOptions {
  /** Beyond this many bytes of waiting items the inbox is full. */
  readonly mostBytes: number
  /** Beyond this many unanswered queries the inbox is full. */
  readonly mostOpenQueries: number
  readonly onPacket: (data: Uint8Array) => Promise<void> | void
  readonly onQuery: (id: bigint, data: Uint8Array) => Promise<void>
  readonly onFull: () => void
  readonly onRoom: () => void
  readonly onFailure: (error: unknown) => void
}

interface Item {
  /** undefined = a one-way packet */
  readonly queryId: bigint | undefined
  readonly data: Uint8Array
}

/** What an item costs beside its bytes, so that many empty packets fill the inbox too. */
const itemOverheadBytes = 256

/**
 * Packets and queries of one connection in order of arrival. One packet is handled after the other; queries are started in their turn and
 * run side by side. Says when it is full, so that the connection stops reading.
 */
export class Inbox {
  readonly #options: InboxOptions
  #items: Item[] = []
  #next = 0
  #bytes = 0
  #openQueries = 0
  #busy = false
  #yielding = false
  #full = false
  #dropped = false
  #emptied: (() => void) | undefined

  constructor(options: InboxOptions) {
    this.#options = options
  }

  get isFull(): boolean {
    return this.#full
  }

  addPacket(data: Uint8Array): void {
    this.#add({ queryId: undefined, data })
  }

  addQuery(queryId: bigint, data: Uint8Array): void {
    this.#add({ queryId, data })
  }

  /** Nothing is handed out before the present turn of the event loop is over. */
  yieldOnce(): void {
    if (this.#yielding) return
    this.#yielding = true
    setImmediate(() => {
      this.#yielding = false
      this.#pump()
    })
  }

  /** Resolves when nothing waits and no packet is being handled. */
  whenEmpty(): Promise<void> {
    if (this.#isEmpty() || this.#dropped) return Promise.resolve()
    return new Promise((resolve) => {
      this.#emptied = resolve
    })
  }

  /** Forgets what waits; nothing is handed out any more. */
  drop(): void {
    this.#dropped = true
    this.#items = []
    this.#next = 0
    this.#emptied?.()
  }

  #add(item: Item): void {
    if (this.#dropped) return
    this.#items.push(item)
    this.#bytes += item.data.length + itemOverheadBytes
    this.#pump()
  }

  #pump(): void {
    while (!this.#busy && !this.#yielding && !this.#dropped && this.#openQueries < this.#options.mostOpenQueries) {
      const item = this.#items[this.#next]
      if (!item) break
      this.#next++
      if (this.#next === this.#items.length) {
        this.#items = []
        this.#next = 0
      }
      this.#handle(item)
    }
    if (this.#isEmpty()) this.#emptied?.()
    this.#checkRoom()
  }

  #handle(item: Item): void {
    const cost = item.data.length + itemOverheadBytes
    if (item.queryId !== undefined) {
      this.#bytes -= cost
      this.#openQueries++
      this.#options
        .onQuery(item.queryId, item.data)
        .catch((error: unknown) => this.#options.onFailure(error))
        .finally(() => {
          this.#openQueries--
          this.#pump()
        })
      return
    }
    let handled: Promise<void> | void
    try {
      handled = this.#options.onPacket(item.data)
    } catch (error) {
      this.#options.onFailure(error)
      return
    }
    if (!handled) {
      this.#bytes -= cost
      return
    }
    this.#busy = true
    handled
      .catch((error: unknown) => this.#options.onFailure(error))
      .finally(() => {
        this.#busy = false
        this.#bytes -= cost
        this.#pump()
      })
  }

  #checkRoom(): void {
    const full = this.#bytes > this.#options.mostBytes || this.#openQueries >= this.#options.mostOpenQueries
    if (full === this.#full || this.#dropped) return
    this.#full = full
    if (full) this.#options.onFull()
    else this.#options.onRoom()
  }

  #isEmpty(): boolean {
    return this.#items.length === 0 && !this.#busy
  }
}
