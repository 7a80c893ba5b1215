;; The questions of bench/datalog asked of Datomic's peer library or of Datalevin: peer.clj datomic|datalevin FOLDER.
;; FOLDER has questions.edn and a file of each data set; peers.rs says what is printed.
(require '[clojure.edn :as edn] '[clojure.java.io :as io] '[clojure.string :as str])

(def peer (first *command-line-args*))
(def folder (second *command-line-args*))
(def api-ns (if (= peer "datomic") 'datomic.api 'datalevin.core))
(require api-ns)
(defn api [name] @(ns-resolve api-ns name))
(def asked (edn/read-string (slurp (io/file folder "questions.edn"))))

(defn ms-since [start] (/ (- (System/nanoTime) start) 1e6))
(defn say [& parts] (println (apply str parts)) (flush))

;; A question is asked until two seconds are over, so that it is compiled, then five times.
(def warm-up-ms 2000)
(def runs 5)

(defn measured
  "The rows, and the median time; of the first run where that is long already."
  [ask]
  (let [start (System/nanoTime) rows (ask) first-ms (ms-since start)]
    (if (> first-ms warm-up-ms)
      [rows first-ms]
      (do
        (loop [] (when (< (ms-since start) warm-up-ms) (ask) (recur)))
        (let [times (doall (for [_ (range runs)] (let [start (System/nanoTime)] (ask) (ms-since start))))]
          [rows (nth (sort times) (quot runs 2))])))))

(defn lines [data]
  (with-open [r (io/reader (io/file folder (str data ".csv")))]
    (mapv #(str/split % #",") (line-seq r))))

(defn person [[id name surname sex age salary follows update new]]
  {:id (parse-long id) :name name :surname surname :sex sex :age (parse-long age) :salary (parse-long salary)
   :follows (parse-long follows) :update (parse-long update) :new (parse-long new)})

(defn people? [data] (str/starts-with? data "people"))

;; Datomic: a database in its own memory, filled by transactions.
(defn attribute [ident type & more]
  (merge {:db/ident ident :db/valueType type :db/cardinality :db.cardinality/one} (apply hash-map more)))

(def datomic-schema
  [(attribute :person/id :db.type/long :db/unique :db.unique/identity)
   (attribute :person/name :db.type/string :db/index true)
   (attribute :person/surname :db.type/string :db/index true)
   (attribute :person/sex :db.type/string :db/index true)
   (attribute :person/age :db.type/long :db/index true)
   (attribute :person/salary :db.type/long :db/index true)
   (attribute :person/follows :db.type/ref)
   (attribute :node/id :db.type/long :db/unique :db.unique/identity)
   (attribute :node/to :db.type/ref :db/cardinality :db.cardinality/many)])

(defn transact-all [conn forms]
  (let [pending (mapv #((api 'transact-async) conn %) (partition-all 1000 forms))]
    (run! deref pending)))

(defn datomic-database
  "The database, and its t in the middle of the updates."
  [data]
  (let [uri (str "datomic:mem://" data) _ ((api 'create-database) uri) conn ((api 'connect) uri)]
    @((api 'transact) conn datomic-schema)
    (if (people? data)
      (let [people (mapv person (lines data))]
        (transact-all conn (for [p people]
                             {:person/id (:id p) :person/name (:name p) :person/surname (:surname p) :person/sex (:sex p)
                              :person/age (:age p) :person/salary (:salary p)}))
        (transact-all conn (for [p people] [:db/add [:person/id (:id p)] :person/follows [:person/id (:follows p)]]))
        (let [updates (dissoc (group-by :update people) 0)
              change (fn [p] [:db/add [:person/id (:id p)] :person/salary (:new p)])
              middle (atom nil)]
          (doseq [k (sort (keys updates))]
            @((api 'transact) conn (map change (updates k)))
            (when (= k (:middle asked)) (reset! middle ((api 'basis-t) ((api 'db) conn)))))
          [((api 'db) conn) @middle]))
      (let [edges (map #(mapv parse-long %) (lines data))]
        (transact-all conn (for [i (sort (set (flatten edges)))] {:node/id i}))
        (transact-all conn (for [[a b] edges] [:db/add [:node/id a] :node/to [:node/id b]]))
        [((api 'db) conn) nil]))))

;; Datalevin: a folder, filled by datoms, each with the id that the data has. Its cache of answers is off.
(def datalevin-schema
  (into {} (for [a datomic-schema] [(:db/ident a) (dissoc a :db/ident :db/index)])))

(defn datalevin-database [data]
  (let [datom (api 'datom)
        of-person (fn [p] (let [e (:id p) add #(datom e %1 %2)]
                            [(add :person/id e) (add :person/name (:name p)) (add :person/surname (:surname p))
                             (add :person/sex (:sex p)) (add :person/age (:age p)) (add :person/salary (:new p))
                             (add :person/follows (:follows p))]))
        datoms (if (people? data)
                 (into [] (mapcat (comp of-person person)) (lines data))
                 (let [edges (map #(mapv parse-long %) (lines data))]
                   (into (mapv #(datom % :node/id %) (sort (set (flatten edges))))
                         (map (fn [[a b]] (datom a :node/to b))) edges)))
        place (str folder "/datalevin-" data "-" (System/nanoTime))]
    [((api 'init-db) datoms place datalevin-schema {:kv-opts {:flags #{:nordahead :writemap :nosync}}}) nil]))

(defn database [data] ((if (= peer "datomic") datomic-database datalevin-database) data))

(defn seen [[db middle] view]
  (case view
    :now db
    :middle ((api 'as-of) db middle)
    :history ((api 'history) db)))

(defn without-cache [f]
  (if (= peer "datomic")
    (f)
    (do (require 'datalevin.query)
        (with-bindings {(ns-resolve 'datalevin.query '*cache?*) false} (f)))))

(doseq [questions (partition-by :data (:questions asked))
        :let [data (:data (first questions))]]
  (say "load " data)
  (let [db (database data)]
    (doseq [{:keys [name view query rules args]} questions]
      (say "ask " name)
      (try
        (let [inputs (concat [(seen db view)] (when rules [rules]) args)
              [rows ms] (without-cache (fn [] (measured #(count (apply (api 'q) query inputs)))))]
          (say "answer " name "\t" rows "\t" ms))
        (catch Throwable t
          (say "failed " name "\t" (.getSimpleName (class t)) " " (first (str/split-lines (str (.getMessage t))))))))))
(shutdown-agents)
(System/exit 0)
