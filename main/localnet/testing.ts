import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Address, beginCell } from '@ton/core'
import { keyPairFromSeed } from '@ton/crypto'
import { silentLogger } from '../base/logger.ts'
import type { OutMessage } from '../wallet/sender.ts'
import type { WalletKeyPair } from '../wallet/w5-wallet.ts'
import { LocalChain, type LocalChainOptions } from './local-chain.ts'

/** Helpers of tests that need a chain: the real process, in a folder that goes away. */

export const chainEntry = fileURLToPath(new URL('./chain-process.ts', import.meta.url))

export function newFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'cocoon-chain-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export function startChain(dataDir: string, options: Partial<LocalChainOptions> = {}): Promise<LocalChain> {
  return LocalChain.start({ entry: chainEntry, dataDir, genesis: [], logger: silentLogger, ...options })
}

/** A key pair that is the same in every run. */
export function testKey(number: number): WalletKeyPair {
  return keyPairFromSeed(Buffer.alloc(32, number))
}

/** An account that nobody holds. */
export function bystander(number: number): Address {
  return new Address(0, Buffer.alloc(32, number))
}

export function payment(to: Address, value: bigint): OutMessage {
  return { to, value, body: beginCell().endCell(), mode: 1, bounce: false }
}

/** Waits until `look` gives something, at most 10 s. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let left = 200; left > 0; left -= 1) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('it did not happen within 10 s')
}
