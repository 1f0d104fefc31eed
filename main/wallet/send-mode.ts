import type { OutMessage } from './sender.ts'

/**
 * TVM send mode of a message: the given one, else 0 (the forward fee is taken out of the value), or 1 (paid by the wallet) when
 * the value is at most 1 nanoton and could not carry it (protocol 60 §8).
 */
export function sendMode(message: OutMessage): number {
  return message.mode ?? (message.value <= 1n ? 1 : 0)
}
