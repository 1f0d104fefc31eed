import { type Address, type Cell, fromNano } from '@ton/core'
import { keyPairFromSeed } from '@ton/crypto'
import { LayoutError } from '../../contracts/cells.ts'
import { cocoonWalletInit, parseCocoonWalletState } from '../../contracts/cocoon-wallet.ts'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import type { Chain } from '../ton/chain.ts'
import { jsonNumber } from '../ton/root-json.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import type { OutMessage, Sender } from '../wallet/sender.ts'

/** The node wallet of a role (protocol 60 §8): its key pays the role's messages, its owner can take everything back at any time. */
export interface RoleWallet {
  readonly address: Address
  /** Absent in the mode without a blockchain. */
  readonly money: { readonly chain: Chain; readonly wallet: CountedWallet } | undefined
}

/** A node wallet that knows how many sendings it has been given and not ended. It does one after the other. */
export class CountedWallet implements Sender {
  readonly #wallet: CocoonWallet
  #underWay = 0

  constructor(wallet: CocoonWallet) {
    this.#wallet = wallet
  }

  get address(): Address {
    return this.#wallet.address
  }

  get owner(): Address {
    return this.#wallet.owner
  }

  get underWay(): number {
    return this.#underWay
  }

  async send(messages: readonly OutMessage[], last?: () => Promise<void>): Promise<void> {
    this.#underWay++
    try {
      await this.#wallet.send(messages, last)
    } finally {
      this.#underWay--
    }
  }

  close(): void {
    this.#wallet.close()
  }
}

/** @param seed 32 bytes */
export function openRoleWallet(seed: Uint8Array, owner: Address, chain: Chain | undefined): RoleWallet {
  const keyPair = keyPairFromSeed(Buffer.from(seed))
  if (chain === undefined)
    return { address: cocoonWalletInit(new Uint8Array(keyPair.publicKey), owner).address, money: undefined }
  const wallet = new CountedWallet(new CocoonWallet(chain, keyPair, owner))
  return { address: wallet.address, money: { chain, wallet } }
}

/** nanoton in the wallet; 0 without a chain. */
export async function walletBalance({ address, money }: RoleWallet): Promise<bigint> {
  return money === undefined ? 0n : (await money.chain.account(address)).balance
}

/** `wallet` of a role's `/jsonstats` (protocol 30 §8.2). Zeros without a chain, or while it does not answer. */
export async function walletStats({
  address,
  money,
}: RoleWallet): Promise<{ readonly balance: bigint; readonly json: Record<string, unknown> }> {
  const account = await money?.chain.account(address).catch(() => undefined)
  const balance = account?.balance ?? 0n
  const underWay = money?.wallet.underWay ?? 0
  const json = {
    address: address.toString({ bounceable: false }),
    balance: jsonNumber(balance),
    seqno: seqnoOf(account?.data ?? null),
    pending_transactions_cnt: Math.max(0, underWay - 1),
    active_transactions_cnt: Math.min(1, underWay),
  }
  return { balance, json }
}

function seqnoOf(data: Cell | null): number {
  try {
    return data === null ? 0 : parseCocoonWalletState(data).seqno
  } catch (thrown) {
    if (thrown instanceof LayoutError) return 0
    throw thrown
  }
}

const lookMs = 5_000

/**
 * Waits until the wallet holds `least` nanoton, telling once where to send them. Nothing is waited for without a chain.
 * @throws Failure `role-stopped` when `signal` aborts before
 */
export async function waitForMoney(
  wallet: RoleWallet,
  least: bigint,
  options: { logger: Logger; signal: AbortSignal },
): Promise<void> {
  const { logger, signal } = options
  let told = false
  while (wallet.money !== undefined) {
    const balance = await walletBalance(wallet)
    if (balance >= least) return
    if (!told) {
      logger.warn('the wallet of this role needs Toncoin; it goes on when they are there', {
        address: wallet.address.toString({ bounceable: false }),
        holds: `${fromNano(balance)} TON`,
        needs: `${fromNano(least)} TON`,
        ...(wallet.money.chain.kind === 'local' && { from: 'cocoon-desktop network test-coins <address> "<amount>"' }),
      })
      told = true
    }
    await pause(wallet.money.chain.kind === 'local' ? 500 : lookMs, signal)
    if (signal.aborted) throw new Failure('role-stopped', 'The role was stopped before its wallet had the Toncoin that it needs.')
  }
}
