import type { TlObject } from '../protocol/tl/types.ts'
import type { Exchange } from './exchange.ts'
import type { WorkerSeat } from './seats.ts'

const int32Max = 2_147_483_647

function enabledByModel(exchange: Exchange): [string, WorkerSeat[]][] {
  const present = new Set([...exchange.workers].map((seat) => seat.baseModel))
  return [...present].sort().map((model) => {
    const seats = [...exchange.workersOf(model)].filter((seat) => seat.enabled)
    return [model, seats.sort((a, b) => a.coefficient - b.coefficient)]
  })
}

/** Answer to `client.getWorkerTypes` (50 §2.3). A model without enabled workers is listed with the largest integers. */
export function workerTypes(exchange: Exchange): TlObject<'client.workerTypes'> {
  const types = enabledByModel(exchange).map(([name, seats]): TlObject<'client.workerType'> => {
    const at = (index: number): number => seats[index]?.coefficient ?? int32Max
    return {
      '@type': 'client.workerType',
      name,
      active_workers: seats.length,
      coefficient_min: at(0),
      coefficient_bucket50: at(Math.floor(seats.length / 2)),
      coefficient_max: at(seats.length - 1),
    }
  })
  return { '@type': 'client.workerTypes', types }
}

/** Answer to `client.getWorkerTypesV2`: enabled workers only, cheapest first (50 §2.3). */
export function workerTypesV2(exchange: Exchange): TlObject<'client.workerTypesV2'> {
  const types = enabledByModel(exchange).map(
    ([name, seats]): TlObject<'client.workerTypeV2'> => ({
      '@type': 'client.workerTypeV2',
      name,
      workers: seats.map((seat) => ({
        '@type': 'client.workerInstanceV2',
        flags: 0,
        coefficient: seat.coefficient,
        active_requests: seat.running.size,
        max_active_requests: seat.limit,
      })),
    }),
  )
  return { '@type': 'client.workerTypesV2', types }
}
