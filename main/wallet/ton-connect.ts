import { Address, beginCell, type Cell, type StateInit, storeStateInit } from '@ton/core'
import { type IStorage, TonConnect, UserRejectsError, type Wallet } from '@tonconnect/sdk'
import { z } from 'zod'
import { asError, Failure } from '../base/failure.ts'
import type { OutMessage, Sender } from './sender.ts'

/*
 * A wallet of another program as the one that signs (TON Connect, HTTP bridge). The key never comes here: each send is shown and approved
 * over there. The bridge sees who speaks with whom and when; what is said is encrypted between the two.
 */

export interface TonConnectOptions {
  readonly chain: 'testnet' | 'mainnet'
  /** Where the wallet reads who asks (name, icon, address of the app). It must be reachable for the wallet. */
  readonly manifestUrl: string
  /** HTTP bridge of the wallet. */
  readonly bridgeUrl: string
  /** What the wallet's links begin with. */
  readonly universalLink: string
  /** Called once with the link that connects a wallet: to be opened or scanned. */
  readonly showLink: (link: string) => void
  /** How long the person has to connect, and for each approval. Default 300 s. */
  readonly patienceMs?: number
  readonly now?: () => number
}

export interface ConnectedWallet extends Sender {
  /** As the wallet calls itself, e.g. "Tonkeeper". */
  readonly name: string
  /** Ends the session; nothing of it is kept. */
  close(): Promise<void>
}

/** Signatures for one network are void on the other; a wallet that is set to the wrong one is refused. */
const chainIds = { mainnet: '-239', testnet: '-3' } as const

/**
 * Waits until a wallet has connected.
 * @throws Failure `wallet-bridge` (no bridge), `wallet-silent` (nobody connected), `wallet-declined`, `wallet-other-network`, `wallet-malformed`
 */
export async function connectWallet(options: TonConnectOptions): Promise<ConnectedWallet> {
  const patienceMs = options.patienceMs ?? 300_000
  const connector = new TonConnect({
    manifestUrl: options.manifestUrl,
    storage: memory(),
    // Nothing about the operator goes anywhere but to the bridge.
    analytics: { mode: 'off' },
    disableAutoPauseConnection: true,
  })
  const giveUp = new AbortController()
  try {
    const wallet = await connected(connector, options, patienceMs, giveUp.signal)
    const { account, name } = identityOf(wallet)
    if (account.chain !== chainIds[options.chain])
      throw new Failure('wallet-other-network', `The wallet is set to another network than the ${options.chain}.`, {
        money: 'Nothing was sent.',
        advice: 'Switch the network in the wallet, and connect again.',
      })
    return new RemoteWallet(connector, account.address, name, options, patienceMs)
  } catch (thrown) {
    giveUp.abort()
    await quietly(connector.disconnect())
    throw thrown
  }
}

/** What the wallet at the other end says of itself; it may be anybody's. */
const identity = z.object({
  account: z.object({
    chain: z.string(),
    address: z
      .string()
      .regex(/^0:[0-9a-fA-F]{64}$/)
      .transform((text) => Address.parseRaw(text)),
  }),
  device: z.object({ appName: z.string().transform((text) => printable(text, 40)) }),
})

/** @throws Failure `wallet-malformed` */
function identityOf(wallet: unknown): { account: { chain: string; address: Address }; name: string } {
  const parsed = identity.safeParse(wallet)
  if (parsed.success) return { account: parsed.data.account, name: parsed.data.device.appName }
  throw new Failure('wallet-malformed', 'The wallet that connected did not say properly who it is.', {
    money: 'Nothing was sent.',
    advice: 'Connect another wallet, or update this one.',
  })
}

/** Words of others go to a terminal: no control characters, and none that turn the direction of the text. */
function printable(text: string, most: number): string {
  return text
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, most)
}

async function connected(
  connector: TonConnect,
  { universalLink, bridgeUrl, showLink }: TonConnectOptions,
  patienceMs: number,
  signal: AbortSignal,
): Promise<Wallet> {
  const { promise, resolve, reject } = Promise.withResolvers<Wallet>()
  const stop = connector.onStatusChange(
    (wallet) => {
      if (wallet !== null) resolve(wallet)
    },
    (error) => reject(declined(error)),
  )
  const patience = setTimeout(
    () =>
      reject(
        new Failure('wallet-silent', 'No wallet has connected.', {
          money: 'Nothing was sent.',
          advice: 'Open the link with the wallet, or scan it, while the command waits. Its bridge has to be reachable from here.',
          retryable: true,
        }),
      ),
    patienceMs,
  )
  try {
    showLink(connector.connect({ universalLink, bridgeUrl }, { signal, openingDeadlineMS: patienceMs }))
    return await promise
  } finally {
    clearTimeout(patience)
    stop()
  }
}

class RemoteWallet implements ConnectedWallet {
  readonly address: Address
  readonly name: string
  readonly #connector: TonConnect
  readonly #options: TonConnectOptions
  readonly #patienceMs: number

  constructor(connector: TonConnect, address: Address, name: string, options: TonConnectOptions, patienceMs: number) {
    this.#connector = connector
    this.address = address
    this.name = name
    this.#options = options
    this.#patienceMs = patienceMs
  }

  /**
   * Resolves when the wallet says that it has sent; what became of it is for the chain to tell.
   * @throws Failure `wallet-declined`, `wallet-silent`, `wallet-bridge`
   */
  async send(messages: readonly OutMessage[], last?: () => Promise<void>): Promise<void> {
    if (messages.length < 1 || messages.length > 4)
      throw new RangeError(`A wallet sends 1 to 4 messages at once, not ${messages.length}.`)
    await last?.()
    const untilMs = (this.#options.now ?? Date.now)() + this.#patienceMs
    const testOnly = this.#options.chain === 'testnet'
    const asked = this.#connector.sendTransaction(
      {
        validUntil: Math.floor(untilMs / 1000),
        network: chainIds[this.#options.chain],
        from: this.address.toRawString(),
        messages: messages.map(({ to, value, body, init, bounce }) => ({
          address: to.toString({ testOnly, bounceable: bounce ?? true }),
          amount: value.toString(),
          ...(body.bits.length === 0 && body.refs.length === 0 ? {} : { payload: base64(body) }),
          ...(init === undefined ? {} : { stateInit: base64(stateInitCell(init)) }),
        })),
      },
      { signal: AbortSignal.timeout(this.#patienceMs) },
    )
    try {
      await within(asked, this.#patienceMs)
    } catch (thrown) {
      if (thrown === late)
        throw new Failure('wallet-silent', 'The wallet did not answer.', {
          money: `It is not known whether the transfer was approved. It cannot happen any more after ${new Date(untilMs).toISOString()}.`,
          advice: 'Look at the transactions of the wallet before you try again.',
        })
      throw declined(thrown)
    }
  }

  async close(): Promise<void> {
    await quietly(this.#connector.disconnect())
  }
}

const late = Symbol('late')

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(late), ms)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}

function declined(thrown: unknown): Failure {
  const cause = asError(thrown)
  if (thrown instanceof UserRejectsError)
    return new Failure('wallet-declined', 'The request was declined in the wallet.', { money: 'Nothing was sent.', cause })
  return new Failure('wallet-bridge', `The wallet could not be asked: ${printable(cause.message, 200)}`, {
    money: 'Nothing was sent, unless the wallet shows otherwise.',
    advice: 'Look into the wallet before you try again. Bridge and manifest have to be reachable for it.',
    cause,
  })
}

function stateInitCell(init: StateInit): Cell {
  return beginCell().store(storeStateInit(init)).endCell()
}

function base64(cell: Cell): string {
  return cell.toBoc().toString('base64')
}

/** The session lives as long as the command. */
function memory(): IStorage {
  const values = new Map<string, string>()
  return {
    getItem: async (key) => values.get(key) ?? null,
    setItem: async (key, value) => void values.set(key, value),
    removeItem: async (key) => void values.delete(key),
  }
}

/** A session that ended on its own, or a bridge that is gone, is closed enough. */
async function quietly(work: Promise<unknown>): Promise<void> {
  await Promise.race([work.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 2000).unref())])
}
