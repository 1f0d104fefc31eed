import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Address, beginCell } from '@ton/core'
import { keyPairFromSeed } from '@ton/crypto'
import { silentLogger } from '../base/logger.ts'
import type { OutMessage } from '../wallet/sender.ts'
import type { WalletKeyPair } from '../wallet/w5-wallet.ts'
import { LocalChain, type LocalChainOptions } from './local-chain.ts'
import { rpcPath } from './rpc-server.ts'

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

/** Waits until `look` gives something, at most a minute: a busy machine needs its time. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let left = 1_200; left > 0; left -= 1) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('it did not happen within a minute')
}

/** An account as an endpoint tells it: code and data in base64. */
export interface ToldAccount {
  data: string
  code: string
  state: string
}
/** What an endpoint answers, from what the chain does; text instead of an account goes out as it is. */
export type Alter = (account: ToldAccount, address: string) => ToldAccount | string | Promise<ToldAccount | string>

/** Another endpoint of a chain, over HTTP, which passes questions on and alters what it tells of accounts. */
export async function alteringEndpoint(
  chain: Pick<LocalChain, 'endpoint'>,
  alter: Alter = (account) => account,
): Promise<{ readonly endpoint: string; close(): void }> {
  const server = createServer((request, response) => {
    const pass = async (): Promise<void> => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const headers = { 'content-type': 'application/json' }
      const body = Buffer.concat(parts)
      const asked = JSON.parse(body.toString()) as { method: string; params: { address?: string } }
      const answer = await fetch(chain.endpoint, { method: 'POST', headers, body })
      const told = (await answer.json()) as { result: ToldAccount }
      const isAccount = asked.method === 'getAddressInformation'
      const altered = isAccount ? await alter(told.result, asked.params.address ?? '') : told.result
      response
        .writeHead(answer.status, headers)
        .end(typeof altered === 'string' ? altered : JSON.stringify({ ...told, result: altered }))
    }
    pass().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}${rpcPath}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
