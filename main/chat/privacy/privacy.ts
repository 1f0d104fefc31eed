import type { LevelState, PrivacyLevel } from '../../../preload/api/chat.ts'
import { openReadersOf, type SealState } from '../../../preload/api/privacy.ts'
import { Failure } from '../../base/failure.ts'
import { Signal, type Watchable } from '../../base/signal.ts'
import type { Gate, SealKeeper } from './seal-keeper.ts'
import { OpenConsent } from './widening.ts'

export type Seals = Readonly<Partial<Record<PrivacyLevel, SealState>>>

export interface PrivacyOptions {
  /** One for each level that something can be sent at. */
  readonly keepers: readonly SealKeeper[]
  /** Whether the Open network is forbidden altogether. */
  readonly settings?: Watchable<{ readonly openNetworkForbidden: boolean }>
}

/**
 * All seals of the app and the consents, in one place: chats, local API and command line ask here before they send. There is no call by which
 * anything could be sent at another level than the one that was asked for.
 */
export class Privacy {
  /** By chat id, or by what else sends (an API key's name). */
  readonly consent: OpenConsent
  readonly #keepers: ReadonlyMap<PrivacyLevel, SealKeeper>
  readonly #seals: Signal<Seals>

  constructor({ keepers, settings = new Signal({ openNetworkForbidden: false }) }: PrivacyOptions) {
    this.#keepers = new Map(keepers.map((keeper) => [keeper.level, keeper]))
    const open = this.#keepers.get('open')?.state
    this.consent = new OpenConsent(
      () => settings.value.openNetworkForbidden,
      () => openReadersOf(open?.value),
    )
    open?.onChange(() => this.consent.narrow())
    settings.onChange(({ openNetworkForbidden }) => openNetworkForbidden && this.consent.endAll())
    const seals = (): Seals => Object.fromEntries(keepers.map(({ level, state }) => [level, state.value]))
    this.#seals = new Signal(seals())
    for (const keeper of keepers) keeper.state.onChange(() => this.#seals.set(seals()))
  }

  /** States of all seals that there are. */
  get seals(): Watchable<Seals> {
    return this.#seals
  }

  keeper(level: PrivacyLevel): SealKeeper | undefined {
    return this.#keepers.get(level)
  }

  /**
   * What has to be passed right before each sending of `sender` at `level`. Throws `Failure`: `needs-consent`, `refused` (forbidden), `not-ready`,
   * `not-verified`, `stopped`, and of a connection that rested and does not come back.
   */
  gate(level: PrivacyLevel, sender: string): Gate {
    return async (signal) => {
      this.consent.demand(level, sender)
      const keeper = this.#keepers.get(level)
      if (keeper === undefined) {
        const { reason = '', reasonWords } = absentLevel(level)
        throw new Failure('not-ready', reason, { advice: 'Nothing was sent.', words: reasonWords })
      }
      await keeper.wake(signal)
      const permit = await keeper.permit(signal)
      // It may have been taken back while the check ran, or was given for fewer readers than the check found.
      this.consent.demand(level, sender, openReadersOf(keeper.state.value))
      return { ...permit, mayBeReadable: this.consent.coversProxy(sender) }
    }
  }

  /** The app came to the front. */
  focused(): void {
    for (const keeper of this.#keepers.values()) keeper.focused()
  }

  close(): void {
    for (const keeper of this.#keepers.values()) keeper.close()
  }
}

/** A level that nothing is set up for on this computer. It is listed, and says why it cannot be used. */
export function absentLevel(level: PrivacyLevel): LevelState {
  const [reason, code] = absences[level]
  return { level, state: 'unavailable', reason, reasonWords: { code } }
}

const absences: Record<PrivacyLevel, readonly [string, string]> = {
  computer: ['No model is loaded. Choose one under Models.', 'no-model-loaded'],
  devices: ['No device is paired.', 'level-no-device'],
  attested: ['No attested network is configured.', 'level-no-attested'],
  open: ['No open network is configured.', 'level-no-open'],
  practice: ['The practice network is not running.', 'level-no-practice'],
  external: ['No engine of another program is added. Add one under Settings, Engines.', 'level-no-engine'],
}
