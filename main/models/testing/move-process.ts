import { catalogEntry } from '../catalog.ts'
import { ModelLibrary } from '../library.ts'
import { ModelsPlace } from '../models-place.ts'
import { ModelMover } from '../move-models.ts'

/** What the process is to do, as JSON in its first argument. */
export interface MoveOrder {
  readonly placePath: string
  readonly ownFolder: string
  readonly to: string
  readonly catalog: readonly unknown[]
  /** Number of the step before which the process kills itself. */
  readonly killAt: number
  readonly secondNames: boolean
  readonly chunkBytes: number
}

// A process of its own that moves a library and kills itself before a step.
const order = JSON.parse(process.argv[2] ?? '') as MoveOrder
const place = new ModelsPlace(order.placePath, order.ownFolder)
const catalog = order.catalog.map((entry) => catalogEntry.parse(entry))
const library = new ModelLibrary({ folder: place.value.folder, catalog, isOwnFolder: (folder) => folder === order.ownFolder })
let steps = 0
const mover = new ModelMover({
  library,
  place,
  ownFolder: order.ownFolder,
  secondNames: order.secondNames,
  chunkBytes: order.chunkBytes,
  onStep: () => {
    steps++
    if (steps === order.killAt) process.kill(process.pid, 'SIGKILL')
  },
})
await library.start()
await mover.start(order.to)
