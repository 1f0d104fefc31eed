import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { appNode } from './app.ts'
import type { Facts, Order, OrderName, Orders, Reply } from './attested/orders.ts'

/** Two confidential machines whose hardware is the test's, in a process of their own (attested/machines.ts). */
export interface SealedMachines {
  readonly facts: Facts
  order<Name extends OrderName>(name: Name, given: Orders[Name]['with']): Promise<Orders[Name]['answer']>
  /** Ends both roles. @throws when they do not end in order */
  stop(): Promise<void>
}

/** @param dataDir where they keep keys and books; holds the model that the worker serves */
export async function startMachines(dataDir: string): Promise<SealedMachines> {
  const child = fork(join(import.meta.dirname, 'attested', 'machines.ts'), [dataDir], {
    execPath: appNode,
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const failed = exited.then((code): never => {
    throw new Error(`The machines ended with ${code}. They printed:\n${output}`)
  })
  failed.catch(() => undefined)
  const facts = await Promise.race([message<Facts>(child, () => true), failed])
  let last = 0
  return {
    facts,
    order: async <Name extends OrderName>(name: Name, given: Orders[Name]['with']) => {
      last++
      const order: Order = { n: last, name, with: given }
      const replied = message<Reply>(child, ({ n }) => n === order.n)
      child.send(order)
      const reply = await Promise.race([replied, failed])
      if ('failed' in reply) throw new Error(`${name}: ${reply.failed}\n${output}`)
      // What `orders.ts` says of this order.
      return reply.answer as Orders[Name]['answer']
    },
    stop: async () => {
      if (child.connected) child.disconnect()
      const force = setTimeout(() => child.kill('SIGKILL'), 30_000)
      const code = await exited
      clearTimeout(force)
      if (code !== 0) throw new Error(`The machines ended with ${code}. They printed:\n${output}`)
    },
  }
}

/** The next message of that kind. */
function message<T>(child: ChildProcess, isIt: (message: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    const look = (received: unknown): void => {
      const one = received as T
      if (!isIt(one)) return
      child.off('message', look)
      resolve(one)
    }
    child.on('message', look)
  })
}
