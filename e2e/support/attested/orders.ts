/** What the journey tells the machines to do, over IPC; each order is answered by its number. */
export interface Orders {
  /** Gives the wallets of both roles test coins, from the faucet of a local chain that nobody else uses meanwhile. Answers who owns roles and network. */
  readonly fund: { readonly with: { readonly appDir: string }; readonly answer: { readonly owner: string } }
  /** Starts proxy and worker on the chain of the app that runs with `appDir`. Answers where the worker tells its counts (JSON). */
  readonly serve: {
    readonly with: {
      readonly appDir: string
      readonly network: string
      readonly owner: string
      readonly ports: readonly [workers: number, clients: number]
    }
    readonly answer: { readonly workerStats: string }
  }
  /** Whether Intel's service answers the app from now on; at first it does not. */
  readonly collateral: { readonly with: { readonly given: boolean }; readonly answer: null }
  /** Whether the chain answers the machines from now on; at first it does. They go on with what they know. */
  readonly chain: { readonly with: { readonly given: boolean }; readonly answer: null }
}
export type OrderName = keyof Orders

export interface Order {
  readonly n: number
  readonly name: OrderName
  readonly with: unknown
}
export type Reply = { readonly n: number; readonly answer: unknown } | { readonly n: number; readonly failed: string }

/** What is told first, before any order. Hashes are hex. */
export interface Facts {
  /** SHA-384 of the root key, as `intelRoots` has it of Intel's. */
  readonly root: string
  /** The service of collateral that the app asks. */
  readonly pccs: string
  readonly images: { readonly proxy: string; readonly worker: string }
  /** Full name of the model that the worker serves. */
  readonly model: string
}
