;; Datomic's peer library as the oracle of queries: datomic.clj, one line of stdin a world, one line of stdout a question.
;;
;; A world is {:txs [{:t 1001 :ids {"e0" 4294967296} :forms [form ...]} ...] :questions [{:query [...] :views [{:as-of 1002} ...]
;; :plain [[1 "a"] ...] :args [...]} ...]}. In forms, queries and arguments the numbers of DaoDB stand for entities (2^32 and
;; more) and transactions (1000 to 1999); answers are told in them, too.
;;
;; Of a question is told {:answer [[...] ...]} or whatever it finds, {:refused "Class: message"} or :late; of all questions of a world
;; {:world "Class: message"} where Datomic refuses one of its transactions.
(require '[clojure.edn :as edn] '[clojure.walk :as walk] '[datomic.api :as d])

(def patience-ms 5000)
(def first-entity 4294967296)

(defn entity? [n] (and (int? n) (>= n first-entity)))
(defn t? [n] (and (int? n) (< 999 n 2000)))
;; An id that nothing has.
(def nobody 17592186999999)

(defn told [^Throwable e]
  (let [cause ^Throwable (last (take-while some? (iterate #(.getCause ^Throwable %) e)))]
    (str (.getSimpleName (class cause)) ": " (first (.split (str (.getMessage cause)) "\n")))))

(defn theirs
  "A form with Datomic's ids in place of ours. Symbols and records of EDN have no ids in them."
  [{:keys [entities ts]} form]
  (walk/postwalk #(cond (entity? %) (get entities % nobody) (t? %) (get ts % nobody) :else %) form))

(defn called
  "A query within a query, which Datomic wants as text."
  [form]
  (walk/postwalk #(if (and (seq? %) (= 'q (first %)) (vector? (second %)))
                    (list* 'q (pr-str (second %)) (nnext %))
                    %)
                 form))

(defn transact [conn world {:keys [t ids forms]}]
  (let [{:keys [tempids tx-data]} @(d/transact conn (theirs (assoc world :ts {}) forms))]
    (-> world
        (update :ts assoc t (:tx (first tx-data)))
        (update :entities into (for [[name id] ids] [id (get tempids name)])))))

(defn ours [world]
  (let [back (into {} (map (fn [[k v]] [v k])) (concat (:entities world) (:ts world)))]
    (fn [v] (if (and (int? v) (>= v first-entity)) (get back v v) v))))

(defn shown
  "An answer with our ids. Rows are a set of Java's; what is within one, or is found alone, stays a set."
  [ids query answer]
  (letfn [(within [v]
            (cond (map? v) (into {} (map (fn [[k x]] [k (within x)])) v)
                  (instance? java.util.Set v) (into #{} (map within) v)
                  (instance? java.util.List v) (mapv within v)
                  :else (ids v)))]
    (if (and (instance? java.util.Set answer) (not= '. (nth query 2))) (mapv within answer) (within answer))))

(defn seen
  "A database as a view has it. A time after the last transaction is now; one before the first of ours is before all of them."
  [db world {:keys [as-of since history]}]
  (let [at (fn [t] (or (get (:ts world) t)
                       (if (< t (reduce min (keys (:ts world)))) 0 (reduce max (vals (:ts world))))))]
    (cond-> db
      as-of (d/as-of (at as-of))
      since (d/since (at since))
      history d/history)))

;; A query that is given up may have stopped the threads that all queries share, for good.
(def stuck (atom false))

(defn ask [db world {:keys [query views plain args]}]
  (let [inputs (concat (map #(seen db world %) views) (when plain [plain]) (theirs world args))
        query (called (theirs world query))
        running (future (try {:answer (shown (ours world) query (apply d/q query inputs))}
                             (catch Throwable e {:refused (told e)})))
        answer (deref running patience-ms :late)]
    (when (= answer :late)
      (future-cancel running)
      (reset! stuck true))
    answer))

(defn answers [n {:keys [txs questions]}]
  (let [uri (str "datomic:mem://queries" n)]
    (d/create-database uri)
    (let [conn (d/connect uri)
          world (try (reduce (partial transact conn) {:ts {} :entities {}} txs)
                     (catch Throwable e {:world (told e)}))
          db (d/db conn)
          out (if (:world world)
                (repeat (count questions) world)
                (mapv #(if @stuck :late (ask db world %)) questions))]
      (d/release conn)
      (d/delete-database uri)
      out)))

(binding [*print-namespace-maps* false *print-meta* false]
  (with-open [in (clojure.java.io/reader *in*)]
    (doseq [[n line] (map-indexed vector (line-seq in)) :while (not @stuck)]
      (run! prn (answers n (edn/read-string line)))
      (flush))))
(shutdown-agents)
(System/exit 0)
