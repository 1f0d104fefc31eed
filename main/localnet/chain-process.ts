import { mkdirSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Address } from '@ton/core'
import { asError, Failure } from '../base/failure.ts'
import { type ChildReport, type StartOrder, startOrder } from './chain-link.ts'
import { Ledger } from './ledger.ts'
import { Machine } from './machine.ts'
import { rpcServer } from './rpc-server.ts'
import { callMethod } from './toncenter-methods.ts'

/*
 * Entry of the process that holds the local TON chain. The parent says over IPC what to open and hears when the endpoint stands.
 * The process ends with its parent, however the parent ended.
 */

/** Resolves when the message is on its way. */
function report(message: ChildReport): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve()
    else process.send(message, undefined, {}, () => resolve())
  })
}

async function start(order: StartOrder): Promise<() => Promise<void>> {
  const startedMs = performance.now()
  mkdirSync(dirname(order.file), { recursive: true })
  const ledger = new Ledger(order.file, order.historyPerAccount)
  const genesis = order.genesis.map((one) => ({ address: Address.parse(one.address), balance: BigInt(one.balanceNano) }))
  const { machine, created } = await Machine.open(ledger, genesis, () => Math.floor(Date.now() / 1000))
  const server = rpcServer((method, params) => callMethod(machine, method, params))
  await listen(server, order)
  const { port } = server.address() as AddressInfo
  await report({ type: 'ready', port, created, tookMs: Math.round(performance.now() - startedMs) })
  return async () => {
    server.close()
    await machine.idle()
    ledger.close()
  }
}

/** Takes the wanted port; waits for it when clients know it already, takes any other when they do not. */
async function listen(server: Server, order: StartOrder): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const port = attempt > 0 && order.otherPortAllowed ? 0 : order.port
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, '127.0.0.1', () => {
          server.off('error', reject)
          resolve()
        })
      })
      return
    } catch (thrown) {
      if (attempt >= 50) throw new Failure('port-taken', `Port ${order.port} is taken.`, { retryable: true, cause: thrown })
      if (!order.otherPortAllowed) await sleep(100)
    }
  }
}

let stop: (() => Promise<void>) | undefined
let ending = false

async function end(): Promise<void> {
  if (ending) return
  ending = true
  await stop?.()
  process.exit(0)
}

process.once('message', (raw) => {
  const order = startOrder.safeParse(raw)
  const begun = order.success ? start(order.data) : Promise.reject(new Failure('internal', 'The order to start is malformed.'))
  begun.then(
    (stopIt) => {
      stop = stopIt
      // The parent may have gone before anybody listened for it.
      if (!process.connected) void end()
    },
    async (thrown: unknown) => {
      const error = asError(thrown)
      await report({
        type: 'failed',
        code: error instanceof Failure ? error.code : 'chain-start-failed',
        message: error.message,
        ...(error instanceof Failure && error.advice !== undefined ? { advice: error.advice } : {}),
      })
      process.exit(1)
    },
  )
})
process.once('disconnect', () => void end())
process.once('SIGTERM', () => void end())
// Ctrl-C reaches the whole group; the parent decides the order in which things stop.
process.on('SIGINT', () => undefined)
