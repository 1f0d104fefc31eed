import { expect } from 'vitest'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import { SealKeeper } from '../../chat/privacy/seal-keeper.ts'
import { clientMigrations } from '../../client/account-store.ts'
import { Client } from '../../client/client.ts'
import { goldenWallet } from '../../proxy/testing/fixtures.ts'
import { AttestedNetwork, type Flaws } from '../../roles/testing/attested-network.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { PeerWatch } from '../checks/seen-peer.ts'
import type { CheckedNetwork } from '../checks/used-connection.ts'
import { dialByContract, workerPolicyOf } from '../network-attestation.ts'
import type { OpenedNetwork } from '../opened-backend.ts'
import { openedLevels } from '../opened-levels.ts'

/** The app's level in a network that demands attestation, over real sockets. */
export class AttestedScene extends AttestedNetwork {
  readonly network: OpenedNetwork & { readonly live: Signal<(CheckedNetwork & { topUps: { refill(): Promise<void> } }) | null> }
  readonly levels: ReturnType<typeof openedLevels>
  readonly keeper: SealKeeper

  constructor() {
    super()
    this.network = {
      name: 'Sealed',
      failure: new Signal(null),
      live: new Signal<(CheckedNetwork & { topUps: { refill(): Promise<void> } }) | null>(null),
      seen: new Signal({ root: { config: this.root } }),
    }
    this.levels = openedLevels(this.network, this.quotes, () => undefined)
    const [, checker] = this.levels.checkers
    if (checker?.level !== 'attested') throw new Error('no checker of the attested level')
    this.keeper = new SealKeeper({ checker })
    this.closers.push(
      () => this.levels.close(),
      () => this.keeper.close(),
    )
  }

  override async start(flaws: Flaws = {}): Promise<void> {
    await super.start(flaws)
    const peers = new PeerWatch()
    const root = (): RootConfig | null => this.root.value
    const client = new Client({
      root: this.root,
      owner: goldenWallet,
      money: undefined,
      masterSecret: new Uint8Array(32).fill(1),
      database: this.database('client', clientMigrations),
      dial: dialByContract({ powThread: this.entries.powThread, root: this.root, quotes: this.quotes, see: peers.see }),
      dialChecksImageHashes: true,
      workerPolicy: () => workerPolicyOf(root(), this.quotes),
      logger: silentLogger,
      reconnectMs: 50,
    })
    client.start()
    this.closers.push(() => client.stop())
    this.network.live.set({ client, peers, root: { config: this.root }, topUps: { refill: async () => undefined } })
  }

  get attested() {
    const backend = this.levels.backends.find(({ level }) => level === 'attested')
    return backend ?? expect.unreachable('no backend')
  }

  /** The seal once it is judged, of a worker whose key the proxy knows. */
  async seal() {
    await expect.poll(() => this.attested.state.value).toMatchObject({ state: 'ready' })
    await expect
      .poll(async () => {
        const { client } = this.network.live.value ?? expect.unreachable('not live')
        const { workers, refused } = await client.toldWorkers('Qwen/Qwen3-8B')
        return workers.length + refused.length
      })
      .toBe(this.workers)
    this.keeper.checkAgain()
    await expect.poll(() => this.keeper.state.value.phase).toMatch(/earned|failed/)
    return this.keeper.state.value
  }

  async ask(backend = this.attested): Promise<string> {
    let text = ''
    const never = AbortSignal.timeout(60_000)
    for await (const event of backend.answer(
      [{ role: 'user', content: 'The canary sings' }],
      never,
      this.keeper.permit,
      'a chat',
    ))
      if (event.type === 'text') text += event.text
    return text
  }
}
