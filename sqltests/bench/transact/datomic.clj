;; What bench/transact/mod.rs measures, by Datomic's peer library on a database in memory: a line an entities-a-second, in the
;; order of the cases there. The argument is the time of each case in seconds; a third of it goes before, to warm up.
(require '[datomic.api :as d])

(def seconds (Double/parseDouble (or (first *command-line-args*) "3")))
(def known 1000)

(def schema
  (for [[name type unique] [["email" "string" :db.unique/identity] ["name" "string"] ["age" "long"] ["city" "keyword"]]]
    (cond-> {:db/ident (keyword "person" name)
             :db/valueType (keyword "db.type" type)
             :db/cardinality :db.cardinality/one}
      unique (assoc :db/unique unique))))

(defn person [kind n]
  {:person/email (str "p" (if (= kind :new) (+ known n) (mod n known)) "@example.com")
   :person/name (str "person " n)
   :person/age (mod n 90)
   :person/city (keyword "city" (str "c" (mod n 50)))})

(defn people [kind first batch] (mapv #(person kind %) (range first (+ first batch))))

(defn fill
  "Batches from number n on, until the time is over: the next number, and the time that it took."
  [conn kind batch n seconds]
  (let [start (System/nanoTime) end (+ start (* 1e9 seconds))]
    (loop [n n]
      @(d/transact conn (people kind n batch))
      (let [n (+ n batch) now (System/nanoTime)]
        (if (< now end) (recur n) [n (/ (- now start) 1e9)])))))

(doseq [batch [1 10 1000] kind [:new :upserts]]
  (let [uri (str "datomic:mem://bench" batch (name kind))
        _ (d/create-database uri)
        conn (d/connect uri)]
    @(d/transact conn schema)
    @(d/transact conn (people :upserts 0 known))
    (let [[n] (fill conn kind batch 0 (/ seconds 3))
          [end took] (fill conn kind batch n seconds)]
      (println (double (/ (- end n) took))))
    (d/release conn)
    (d/delete-database uri)))
(shutdown-agents)
(System/exit 0)
