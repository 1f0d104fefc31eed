import { timingSafeEqual } from 'node:crypto'
import type { Asked } from '../../base/http-listener.ts'

/** Whether the request carries the role's access hash (`?access_hash=`, protocol 30 §8), compared in constant time. */
export function hasAccess({ search }: Asked, accessHash: string): boolean {
  const given = Buffer.from(search.get('access_hash') ?? '')
  const wanted = Buffer.from(accessHash)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
