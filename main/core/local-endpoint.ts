import { readFileSync, rmSync } from 'node:fs'
import { Address } from '@ton/core'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { Failure } from '../base/failure.ts'

/**
 * Where other programs of this user find the local network while the app runs: a small file in the data folder, so that a client, worker or
 * proxy started by the command line can join. The chain's port is any free one and differs between starts.
 */
const shape = z.object({
  version: z.literal(1),
  endpoint: z.url(),
  root: z.string(),
  chainId: z.number().int().optional(),
  pid: z.number().int(),
})

/** The local network as other programs find it. */
export interface LocalPlace {
  readonly endpoint: string
  readonly root: Address
  /** Which chain it is, for their books; undefined when that is not known. */
  readonly chainId?: number | undefined
}

/** @throws Failure `disk-full`, `write-failed` */
export function tellLocalEndpoint(path: string, { endpoint, root, chainId }: LocalPlace): void {
  const text = JSON.stringify({ version: 1, endpoint, root: root.toString(), chainId, pid: process.pid })
  writeFileAtomic(path, `${text}\n`)
}

export function forgetLocalEndpoint(path: string): void {
  rmSync(path, { force: true })
}

/**
 * Follows one chain over restarts of the app, each of which has another port.
 * @param first as `localEndpoint` told it
 * @param onOther called once when the app runs another chain now; what is known of the first says nothing of that one, so it is not followed there
 * @returns where that chain was found last
 */
export function followLocalEndpoint(path: string, first: LocalPlace, onOther: () => void): () => string {
  let { endpoint } = first
  let told = false
  return () => {
    const now = placeNow(path)
    if (now === undefined || now.endpoint === endpoint) return endpoint
    if (isSameChain(now, first)) endpoint = now.endpoint
    else if (!told) {
      told = true
      onOther()
    }
    return endpoint
  }
}

/** Chains that were made before chains had numbers all have 0. */
const isSameChain = (one: LocalPlace, other: LocalPlace): boolean =>
  one.chainId !== undefined && one.chainId === other.chainId && (one.chainId !== 0 || one.root.equals(other.root))

/** Undefined while no app runs. */
function placeNow(path: string): LocalPlace | undefined {
  try {
    return localEndpoint(path)
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'app-not-running') return undefined
    throw thrown
  }
}

/** @throws Failure `app-not-running` when there is no such file, or its writer is gone */
export function localEndpoint(path: string): LocalPlace {
  try {
    const { endpoint, root, chainId, pid } = shape.parse(JSON.parse(readFileSync(path, 'utf8')))
    // After a kill the file is still there; a signal of 0 only asks whether the process is.
    process.kill(pid, 0)
    return { endpoint, root: Address.parse(root), chainId }
  } catch (cause) {
    throw new Failure('app-not-running', 'The local network belongs to the app, and no app runs with this data folder.', {
      advice: 'Start it first (cocoon-desktop serve), with the same --data-dir.',
      retryable: true,
      cause,
    })
  }
}
